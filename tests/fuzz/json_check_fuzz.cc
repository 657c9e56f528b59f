// JSON of a client: accepted if it is JSON within the depth, as the library says of the whole tree,
// and else refused before any tree is made; written and read again it is the same.
#include "edge/socketio/json_text.h"
#include "edge/socketio/packet.h"
#include "tests/fuzz/json_measure.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using socketio::Json;

// What the library keeps while it reads: a token, and a bit a level. Of an error that it finds itself
// also a text, several times, with eight characters for each of the token's that cannot be printed.
size_t RefusalHeapBytesMax(const absl::Status& refusal, size_t size) {
  const bool is_deep = refusal.message().find("deep") != absl::string_view::npos;
  return 4'096 + (is_deep ? 8 : 64) * size;
}

// The library's own reading ends at a NUL, and passes over a byte order mark: neither is JSON.
bool IsJson(std::string_view text) {
  return text.find('\0') == std::string_view::npos && text.substr(0, 1) != "\xEF" &&
         Json::accept(text);
}

void CheckDepth(std::string_view text, size_t depth_max) {
  const HeapPeak peak;
  const absl::StatusOr<Json> read = socketio::ParseJson(text, depth_max);
  const size_t heap_bytes = peak.bytes();
  if (!IsJson(text)) {
    Require(!read.ok(), "what is no JSON is refused");
  } else {
    const bool is_shallow = DepthOf(Json::parse(text)) <= depth_max;
    Require(read.ok() == is_shallow, "JSON is accepted within the depth, and only there");
  }
  if (!read.ok()) {
    Require(heap_bytes <= RefusalHeapBytesMax(read.status(), text.size()), "no tree of what is refused");
    return;
  }
  const std::string written = socketio::JsonText(*read);
  Require(IsJson(written), "what is written is JSON");
  const absl::StatusOr<Json> again = socketio::ParseJson(written, depth_max);
  Require(again.ok() && *again == *read, "written and read again it is the same");
  std::string quoted;
  socketio::AppendQuoted(text, quoted);
  Require(Json::parse(quoted) == std::string(text), "a text is quoted as it is");
}

}  // namespace

std::vector<std::string> Seeds() {
  return {"",
          "null",
          " [1 , -2.5e-3,\t0.1]\r\n",
          R"({"a":{"b":[true,false,null,"\u00e9\n\"\\\ud83d\ude00"]}})",
          R"([[[[[[[[]]]]]]]])",
          R"([[[[[[[[[]]]]]]]]])",
          R"({"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}})",
          std::string(4'000, '['),
          std::string(2'000, '[') + std::string(2'000, ']'),
          "\"\\ud800\"",
          "[\"" + std::string(4'000, '\x01'),
          "[\"" + std::string(4'000, '['),
          "1e999",
          "NaN",
          "-0",
          "-0.0",
          "01",
          "1e21",
          "123456789012345678901234567890",
          "9007199254740993",
          "18446744073709551616",
          "[1,]",
          "[1]x",
          "\xEF\xBB\xBF[]",
          std::string("[]\0", 3),
          "\"\xED\xA0\x80\"",
          "{\"a\":1,\"a\":2}",
          "{\"__proto__\":1}",
          "// a\n1",
          "'a'"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  for (const size_t depth_max : {0, 1, 8, 64}) {
    fuzz::CheckDepth(fuzz::Text(bytes, size), depth_max);
  }
  return 0;
}
