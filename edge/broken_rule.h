// The rules of recovery (docs/ARCHITECTURE.md), each of which a test can have broken to see that the
// checker of histories finds it. Only builds with tests have the flag --broken_rule.
#pragma once

#include <string_view>
#include <utility>

namespace sessioncast::edge {

enum class BrokenRule {
  kNone,
  kAckBeforeSubscribed,     // the acknowledgement of a subscribe, which moves no cursor, goes first
  kCursorAtEnqueue,         // an event ends in the cursor of when it was queued
  kNoCursorOnSubscribed,    // `subscribed` does not end in the cursor
  kCursorOnSomeEvents,      // only each fifth event ends in the cursor
  kCursorAtTopBeforeFold,   // `subscribed` puts the cursor behind the fold that is to come
  kResubscribeRestartsFold, // subscribing by id to what is held delivers the fold again
  kEmptyCursorRecovers,     // a client without a session counts as recovered
};

inline constexpr std::pair<std::string_view, BrokenRule> kBrokenRules[] = {
    {"ack_before_subscribed", BrokenRule::kAckBeforeSubscribed},
    {"cursor_at_enqueue", BrokenRule::kCursorAtEnqueue},
    {"no_cursor_on_subscribed", BrokenRule::kNoCursorOnSubscribed},
    {"cursor_on_some_events", BrokenRule::kCursorOnSomeEvents},
    {"cursor_at_top_before_fold", BrokenRule::kCursorAtTopBeforeFold},
    {"resubscribe_restarts_fold", BrokenRule::kResubscribeRestartsFold},
    {"empty_cursor_recovers", BrokenRule::kEmptyCursorRecovers},
};

}  // namespace sessioncast::edge
