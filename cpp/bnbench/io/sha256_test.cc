#include "bnbench/io/sha256.h"

#include <doctest/doctest.h>

using bnbench::IsSha256Hex;
using bnbench::Sha256Hex;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(Sha256Hex(std::string_view("")) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex(std::string_view("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256Hex(std::string_view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("only 64 lower-case hexadecimal digits are a SHA-256") {
  CHECK(IsSha256Hex(Sha256Hex(std::string_view("abc"))));
  CHECK_FALSE(IsSha256Hex(""));
  CHECK_FALSE(IsSha256Hex(std::string(63, 'a')));
  CHECK_FALSE(IsSha256Hex(std::string(65, 'a')));
  CHECK_FALSE(IsSha256Hex(std::string(64, 'A')));
  CHECK_FALSE(IsSha256Hex(std::string(64, 'g')));
}
