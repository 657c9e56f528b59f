// What `doctor` says: a line a check as it goes, with what to do where something is wrong, and the
// sum.
//
// Threads: one.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "tools/sessioncast/commands.h"

namespace sessioncast::tool {

class Report {
 public:
  // Text on a terminal: in colours (unless NO_COLOR is set), and what is being tried is shown.
  explicit Report(Output output);

  // What the checks that follow are of: "control localhost:50051".
  void Group(absl::string_view name);
  void Trying(absl::string_view check);
  void Good(absl::string_view check, absl::string_view seen);
  // Works, but should not be left so.
  void Doubt(absl::string_view check, absl::string_view seen, absl::string_view advice);
  void Bad(absl::string_view check, absl::string_view seen, absl::string_view advice);
  void Skip(absl::string_view check, absl::string_view why);
  // kRefused if anything was bad.
  ExitCode Sum();

 private:
  enum Outcome { kGood, kDoubt, kBad, kSkip, kOutcomes };
  void Tell(Outcome outcome, absl::string_view check, absl::string_view seen,
            absl::string_view advice);

  const Output output_;
  const bool is_terminal_, has_colours_;
  std::string group_;
  int counts_[kOutcomes] = {};
};

}  // namespace sessioncast::tool
