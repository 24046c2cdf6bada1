// A session's results, as text for people and as JSON for programs.
#ifndef BNBENCH_MODEL_REPORT_H_
#define BNBENCH_MODEL_REPORT_H_

#include <string>

#include "bnbench/model/session.h"

namespace bnbench {

// What goes to standard output for people: a paragraph for each model that was evaluated.
std::string FormatText(const SessionRecord& session);

// What goes to standard error for people: one `bnbench-eval: error: ...` for each failure,
// and one `warning: ...` for a model without a manifest that was saved in training mode.
std::string FormatErrors(const SessionRecord& session, const std::string& program = "bnbench-eval");

// One JSON document, in ASCII whatever the file names are; undefined is null.
std::string FormatJson(const SessionRecord& session);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_REPORT_H_
