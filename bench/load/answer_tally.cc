#include "bench/load/answer_tally.h"

namespace sessioncast::bench {

void AnswerTally::OnSent(uint64_t events, int64_t intended_ns, int64_t now_ns) {
  if (!IsInWindow(now_ns)) return;
  offered += events;
  late_ns.Record(now_ns - intended_ns);
}

void AnswerTally::OnOutcome(const Outcome& outcome, int64_t now_ns) {
  if (!IsInWindow(now_ns)) return;
  acknowledged += outcome.events - outcome.failed;
  refused += outcome.refused;
  hinted += outcome.hinted;
  failed += outcome.failed - outcome.refused;
  if (outcome.events > outcome.failed) acknowledged_ns.Record(now_ns - outcome.sent_ns);
  if (outcome.refused > 0) refused_ns.Record(now_ns - outcome.sent_ns);
}

}  // namespace sessioncast::bench
