#include "tools/sessioncast/doctor_report.h"

#include <unistd.h>

#include <array>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/sessioncast/shown_text.h"
#include "tools/sessioncast/terminal.h"

namespace sessioncast::tool {
namespace {

constexpr size_t kCheckColumns = 12;

struct Word {
  const char* text;
  const char* json;
  const char* colour;  // SGR, ECMA-48
};
constexpr std::array<Word, 4> kWords = {{{"ok  ", "ok", "\x1b[32m"},
                                         {"warn", "warning", "\x1b[33m"},
                                         {"FAIL", "failed", "\x1b[1;31m"},
                                         {"skip", "skipped", "\x1b[2m"}}};

// What a peer sent is shown, and must not steer the terminal.
std::string Harmless(absl::string_view text) { return Shown({text.data(), text.size()}); }

std::string Padded(absl::string_view text, size_t columns) {
  std::string padded(text);
  if (padded.size() < columns) padded.append(columns - padded.size(), ' ');
  return padded;
}

}  // namespace

Report::Report(Output output)
    : output_(output),
      is_terminal_(output == Output::kText && isatty(STDOUT_FILENO) == 1),
      has_colours_(is_terminal_ && Terminal::WantsColours()) {}

void Report::Group(absl::string_view name) {
  group_ = std::string(name);
  if (output_ == Output::kText) std::cout << Harmless(name) << std::endl;
}

void Report::Trying(absl::string_view check) {
  if (is_terminal_) std::cout << "  ...   " << Harmless(check) << std::flush;
}

void Report::Good(absl::string_view check, absl::string_view seen) { Tell(kGood, check, seen, ""); }
void Report::Doubt(absl::string_view check, absl::string_view seen, absl::string_view advice) {
  Tell(kDoubt, check, seen, advice);
}
void Report::Bad(absl::string_view check, absl::string_view seen, absl::string_view advice) {
  Tell(kBad, check, seen, advice);
}
void Report::Skip(absl::string_view check, absl::string_view why) { Tell(kSkip, check, why, ""); }

void Report::Tell(Outcome outcome, absl::string_view check, absl::string_view seen,
                  absl::string_view advice) {
  ++counts_[outcome];
  const Word& word = kWords[outcome];
  if (output_ == Output::kJson) {
    nlohmann::json line = {
        {"group", group_},
        {"check", std::string(check)}, {"outcome", word.json},
        {"seen", std::string(seen)}};
    if (!advice.empty()) line["advice"] = std::string(advice);
    std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    return;
  }
  if (is_terminal_) std::cout << "\r\x1b[K";
  std::cout << "  " << (has_colours_ ? word.colour : "") << word.text
            << (has_colours_ ? "\x1b[0m" : "") << "  " << Padded(check, kCheckColumns) << "  "
            << Harmless(seen) << std::endl;
  if (!advice.empty()) std::cout << "        -> " << Harmless(advice) << std::endl;
}

ExitCode Report::Sum() {
  if (output_ == Output::kJson) {
    nlohmann::json sum;
    for (size_t i = 0; i < kWords.size(); ++i) sum[kWords[i].json] = counts_[i];
    std::cout << sum.dump() << std::endl;
  } else {
    std::cout << counts_[kGood] << " ok, " << counts_[kDoubt] << " to look at, " << counts_[kBad]
              << " failed, " << counts_[kSkip] << " skipped" << std::endl;
  }
  return counts_[kBad] == 0 ? kDone : kRefused;
}

}  // namespace sessioncast::tool
