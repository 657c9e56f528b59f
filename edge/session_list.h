// The list of sessions, for a client whose token covers some of them: control has one list in the
// order of ids, and a token covers ranges of it, which are read one after the other.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/engineio/http.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::edge {

struct ListQuery {
  size_t page_size = 100;
  std::string page_token;  // "": from the first
};
inline constexpr size_t kListPageSizeMax = 1000;

// INVALID_ARGUMENT names the parameter and its limit; parameters of other names are ignored.
absl::StatusOr<ListQuery> ParseListQuery(const engineio::HttpFields& query);

// Where sessions are that some claims cover. What it says comes of the claims alone, so that a page
// token tells nothing of other sessions.
class CoveredRanges {
 public:
  // As in access::Claims; null: everything.
  explicit CoveredRanges(const std::vector<std::string>* sessions);

  // The id behind which the next covered session can be, `after` or behind it; nothing: there is
  // none. "": from the first.
  std::optional<std::string> Next(const std::string& after) const;
  // How many there can be in the range that begins behind `before`.
  size_t SizeMaxBehind(const std::string& before) const;
  bool Cover(std::string_view session_id) const;

 private:
  struct Range {
    std::string before;  // the last id that can be before it
    std::string last;    // the last that can be in it
  };
  std::vector<Range> ranges_;  // apart, in order
};

// One page that is being made from control's pages.
class SessionListPage {
 public:
  // `calls_max`: so many of control's pages at most, then it is shorter than was asked for.
  SessionListPage(ListQuery query, CoveredRanges covered, size_t calls_max = 32);

  // What to ask control for next; nothing: the page is made.
  std::optional<v1::ListSessionsRequest> Next();
  void Add(const v1::ListSessionsResponse& response);

  // {sessions: [...], nextPageToken}
  std::string Json() const;

 private:
  const size_t page_size_;
  const CoveredRanges covered_;
  size_t calls_left_;
  std::vector<v1::SessionSummary> sessions_;
  std::optional<std::string> after_;  // where to go on; nothing: at the end of all
};

}  // namespace sessioncast::edge
