// What the process that is to run a model is told, as text.
#ifndef BNBENCH_MODEL_REQUEST_H_
#define BNBENCH_MODEL_REQUEST_H_

#include <cstddef>
#include <string>

#include "bnbench/model/classifier.h"
#include "bnbench/model/preprocessing.h"

namespace bnbench {

struct ModelRequest {
  std::string sha256;  // of the model's file; empty without a manifest
  std::size_t size_bytes = 0;
  InputSpec input;
  OutputSpec output;
};

std::string EncodeRequest(const ModelRequest& request);

// Reads what EncodeRequest wrote; nobody else's text.
ModelRequest DecodeRequest(const std::string& text);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_REQUEST_H_
