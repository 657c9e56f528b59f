#include "edge/session_list.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "edge/wire.h"
#include "proto/rules.h"

namespace sessioncast::edge {
namespace {

// What an id may be made of, in the order of its bytes.
constexpr std::string_view kIdLetters =
    "-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

bool CanBeginId(std::string_view text) {
  return text.size() <= kIdBytesMax &&
         text.find_first_not_of(kIdLetters) == std::string_view::npos;
}

// The last that begins with `text`.
std::string Last(std::string text) {
  text.resize(kIdBytesMax, kIdLetters.back());
  return text;
}

// The last before all that begin with `text`; "": there is none.
std::string Before(std::string text) {
  if (text.empty()) return text;
  const size_t letter = kIdLetters.find(text.back());
  text.pop_back();
  if (letter > 0) return Last(text.append(1, kIdLetters[letter - 1]));
  // "." is no id, so nothing is between what is before it and what follows it.
  return text.empty() || CheckId("", text).ok() ? text : Before(text);
}

}  // namespace

absl::StatusOr<ListQuery> ParseListQuery(const engineio::HttpFields& query) {
  ListQuery parsed;
  for (const auto& [name, text] : query) {
    if (name == "page_size") {
      const bool is_number =
          !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
      size_t size = 0;
      if (!is_number || !absl::SimpleAtoi(text, &size) || size < 1 || size > kListPageSizeMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("page_size: must be a number from 1 to ", kListPageSizeMax));
      }
      parsed.page_size = size;
    } else if (name == "page_token") {
      if (absl::Status status = CheckId("page_token", text); !text.empty() && !status.ok()) {
        return status;
      }
      parsed.page_token = text;
    }
  }
  return parsed;
}

CoveredRanges::CoveredRanges(const std::vector<std::string>* sessions) {
  if (sessions == nullptr) {
    ranges_.push_back({"", Last("")});
    return;
  }
  std::vector<Range> ranges;
  for (std::string text : *sessions) {
    const bool is_prefix = !text.empty() && text.back() == '*';
    if (is_prefix) text.pop_back();
    // Of what can be no id there is no session.
    if (!CanBeginId(text) || (text.empty() && !is_prefix)) continue;
    ranges.push_back({Before(text), is_prefix ? Last(text) : text});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::tie(a.before, b.last) < std::tie(b.before, a.last);
  });
  for (Range& range : ranges) {
    if (!ranges_.empty() && range.before <= ranges_.back().last) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(std::move(range));
    }
  }
}

std::optional<std::string> CoveredRanges::Next(const std::string& after) const {
  const auto range = std::upper_bound(
      ranges_.begin(), ranges_.end(), after,
      [](const std::string& id, const Range& candidate) { return id < candidate.last; });
  if (range == ranges_.end()) return std::nullopt;
  return std::max(after, range->before);
}

size_t CoveredRanges::SizeMaxBehind(const std::string& before) const {
  for (const Range& range : ranges_) {
    if (range.before == before) return Before(range.last) == before ? 1 : kListPageSizeMax;
  }
  return kListPageSizeMax;
}

bool CoveredRanges::Cover(std::string_view session_id) const {
  const auto range = std::lower_bound(
      ranges_.begin(), ranges_.end(), session_id,
      [](const Range& candidate, std::string_view id) { return candidate.last < id; });
  return range != ranges_.end() && range->before < session_id;
}

SessionListPage::SessionListPage(ListQuery query, CoveredRanges covered, size_t calls_max)
    : page_size_(query.page_size),
      covered_(std::move(covered)),
      calls_left_(calls_max),
      after_(covered_.Next(query.page_token)) {}

std::optional<v1::ListSessionsRequest> SessionListPage::Next() {
  if (!after_ || sessions_.size() == page_size_ || calls_left_ == 0) return std::nullopt;
  --calls_left_;
  v1::ListSessionsRequest request;
  const size_t size = std::min(page_size_ - sessions_.size(), covered_.SizeMaxBehind(*after_));
  request.set_page_size(static_cast<int32_t>(size));
  request.set_page_token(*after_);
  return request;
}

void SessionListPage::Add(const v1::ListSessionsResponse& response) {
  for (const v1::SessionSummary& session : response.sessions()) {
    if (!covered_.Cover(session.session_id())) {
      // The next range, whose own beginning it is unless this session is past that.
      after_ = covered_.Next(session.session_id());
      continue;
    }
    sessions_.push_back(session);
    after_ = session.session_id();
  }
  if (response.next_page_token().empty()) {
    after_ = std::nullopt;
  } else if (after_) {
    after_ = covered_.Next(*after_);
  }
}

std::string SessionListPage::Json() const {
  return SessionListJson(sessions_, after_.value_or(""));
}

}  // namespace sessioncast::edge
