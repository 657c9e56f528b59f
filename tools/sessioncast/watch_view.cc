#include "tools/sessioncast/watch_view.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/sessioncast/print.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

// From these sizes on there is room for it.
constexpr size_t kRowsForTwoHeaderLines = 5;
constexpr size_t kRowsForCounts = 8;
constexpr size_t kRowsForQuestionLines = 10;
constexpr size_t kRowsForHeadings = 18;
constexpr size_t kRowsForBlankLines = 22;
constexpr size_t kColumnsForStatusWord = 44;
constexpr size_t kColumnsForProvider = 60;

constexpr size_t kBarColumnsMax = 40;
constexpr size_t kNameColumnsMax = 20;
constexpr size_t kProviderColumnsMax = 10;
constexpr size_t kQuestionLinesMax = 2;
constexpr size_t kCommandLinesMax = 4;
constexpr size_t kEndedQuestionsShownMax = 3;
constexpr size_t kEndLinesMax = 4;

// A line of a bounded width, filled from the left.
class LineBuilder {
 public:
  explicit LineBuilder(size_t columns) : left_(columns) {}

  size_t left() const { return left_; }

  LineBuilder& Add(std::string_view text, Style style = Style::kPlain) {
    return Put(ShownBegin(text, left_), style);
  }
  // In exactly so many columns, and two spaces.
  LineBuilder& Cell(std::string_view text, size_t columns, Style style = Style::kPlain) {
    const std::string cell = ShownBegin(text, std::min(columns, left_));
    const size_t spaces = columns + 2 - ColumnsOf(cell);
    Put(cell, style);
    return Put(std::string(std::min(spaces, left_), ' '), Style::kPlain);
  }
  LineBuilder& AddEnd(std::string_view text, Style style) {
    return Put(ShownEnd(text, left_), style);
  }

  ViewLine Line() const { return line_; }

 private:
  LineBuilder& Put(std::string shown, Style style) {
    left_ -= std::min(left_, ColumnsOf(shown));
    if (!shown.empty()) line_.push_back({std::move(shown), style});
    return *this;
  }

  ViewLine line_;
  size_t left_;
};

ViewLine LineOf(std::string_view text, size_t columns, Style style = Style::kPlain) {
  return LineBuilder(columns).Add(text, style).Line();
}

std::string DurationText(uint64_t milliseconds) {
  const uint64_t seconds = milliseconds / 1'000;
  if (seconds < 60) return absl::StrFormat("%d.%d s", seconds, milliseconds % 1'000 / 100);
  if (seconds < 3'600) return absl::StrFormat("%d:%02d min", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d h", seconds / 3'600, seconds / 60 % 60);
}

Style StyleOf(v1::SessionStatus status) {
  switch (status) {
    case v1::SESSION_STATUS_COMPLETED:
      return Style::kGood;
    case v1::SESSION_STATUS_FAILED:
    case v1::SESSION_STATUS_EXPIRED:
      return Style::kBad;
    default:
      return Style::kBusy;
  }
}

Piece ConnectionPiece(const WatchState& state, WatchState::Clock::time_point now) {
  const uint64_t sequence = state.sequence();
  if (state.end()) return {absl::StrCat("ended at #", sequence), Style::kDim};
  switch (state.connection()) {
    case WatchState::Connection::kConnecting:
      return {"○ connecting", Style::kDim};
    case WatchState::Connection::kAway: {
      const auto away = std::chrono::duration_cast<std::chrono::seconds>(
          now - state.connection_since());
      return {absl::StrCat("○ control is away; going on after #", sequence, " (",
                           std::max<int64_t>(away.count(), 0), " s)"),
              Style::kBad};
    }
    case WatchState::Connection::kLive:
      break;
  }
  return {sequence == 0 ? "● live, waiting for the first event"
                        : absl::StrCat("● live, at #", sequence),
          Style::kGood};
}

std::vector<ViewLine> HeaderLines(const WatchState& state, ViewSize size,
                                  WatchState::Clock::time_point now) {
  const Piece connection = ConnectionPiece(state, now);
  const std::string word =
      state.status() == v1::SESSION_STATUS_UNSPECIFIED ? "" : StatusWord(state.status());
  const size_t word_columns = word.empty() ? 0 : word.size() + 2;
  const size_t id_columns = ColumnsOf(state.session_id());
  const bool is_one_line =
      id_columns + word_columns + 2 + ColumnsOf(connection.text) <= size.columns;

  LineBuilder first(size.columns);
  const size_t id_room = size.columns - std::min(size.columns, word_columns);
  first.Add(ShownBegin(state.session_id(), id_room), Style::kBold);
  if (!word.empty()) first.Add("  ").Add(word, StyleOf(state.status()));
  if (is_one_line) first.Add("  ").Add(connection.text, connection.style);
  std::vector<ViewLine> lines = {first.Line()};
  if (!is_one_line && size.rows >= kRowsForTwoHeaderLines) {
    lines.push_back(LineOf(connection.text, size.columns, connection.style));
  } else if (!is_one_line && state.connection() == WatchState::Connection::kAway && !state.end()) {
    lines = {LineOf(connection.text, size.columns, connection.style)};
  }
  return lines;
}

std::string CountsText(const v1::Prompts& prompts) {
  std::string text =
      absl::StrCat(prompts.completed(), " of ", prompts.total(), " prompts completed");
  const std::pair<uint32_t, std::string_view> others[] = {{prompts.processing(), "processing"},
                                                          {prompts.pending(), "pending"},
                                                          {prompts.failed(), "failed"}};
  for (const auto& [count, word] : others) {
    if (count > 0) absl::StrAppend(&text, " · ", count, " ", std::string(word));
  }
  return text;
}

std::vector<ViewLine> ProgressLines(const WatchState& state, ViewSize size) {
  if (!state.progress()) return {};
  const double percent = std::clamp(state.progress()->percent(), 0.0, 100.0);
  const std::string number = absl::StrFormat(" %3d %%", static_cast<int>(std::floor(percent)));
  const size_t room = size.columns - std::min(size.columns, number.size());
  const size_t bar = std::min(room, kBarColumnsMax);
  const auto full = static_cast<size_t>(std::floor(percent / 100 * static_cast<double>(bar)));
  std::string full_text, empty_text;
  for (size_t column = 0; column < bar; ++column) {
    (column < full ? full_text : empty_text) += column < full ? "█" : "░";
  }
  LineBuilder line(size.columns);
  line.Add(full_text, StyleOf(state.status())).Add(empty_text, Style::kDim).Add(number);
  std::vector<ViewLine> lines;
  const v1::Prompts& prompts = state.progress()->prompts();
  const std::string counts = prompts.total() > 0 ? CountsText(prompts) : "";
  const bool fits = ColumnsOf(counts) + 3 <= line.left();
  if (!counts.empty() && fits) line.Add("   ").Add(counts);
  lines.push_back(line.Line());
  if (!counts.empty() && !fits && size.rows >= kRowsForCounts) {
    lines.push_back(LineOf(counts, size.columns));
  }
  return lines;
}

std::vector<ViewLine> EndLines(const WatchState& state, ViewSize size) {
  if (!state.end()) return {};
  const bool is_good = state.end()->status == v1::SESSION_STATUS_COMPLETED;
  const Style style = StyleOf(state.end()->status);
  const std::string text = absl::StrCat(is_good ? "✓ " : "✗ ", StatusWord(state.end()->status),
                                        "  ", state.end()->text);
  const size_t lines_max = std::clamp<size_t>(size.rows / 6, 1, kEndLinesMax);
  std::vector<ViewLine> lines;
  for (std::string& line : ShownLines(text, size.columns, lines_max)) {
    lines.push_back({{std::move(line), style}});
  }
  return lines;
}

// --- Models

Style StyleOf(v1::ModelResultStatus status) {
  switch (status) {
    case v1::MODEL_RESULT_STATUS_COMPLETED:
      return Style::kGood;
    case v1::MODEL_RESULT_STATUS_FAILED:
      return Style::kBad;
    default:
      return Style::kBusy;
  }
}

std::string MarkOf(v1::ModelResultStatus status) {
  switch (status) {
    case v1::MODEL_RESULT_STATUS_COMPLETED:
      return "✓";
    case v1::MODEL_RESULT_STATUS_FAILED:
      return "✗";
    default:
      return "●";
  }
}

std::string NameOf(const WatchedModel& model) {
  return model.run_id.empty() ? model.name : absl::StrCat(model.name, " ", model.run_id);
}

struct ModelColumns {
  size_t name = 0;
  size_t provider = 0;
  size_t duration = 0;
};

ModelColumns ColumnsFor(const std::vector<const WatchedModel*>& models, size_t columns) {
  ModelColumns widths;
  for (const WatchedModel* model : models) {
    widths.name = std::max(widths.name, ColumnsOf(ShownBegin(NameOf(*model), kNameColumnsMax)));
    widths.provider = std::max(widths.provider,
                               ColumnsOf(ShownBegin(model->provider, kProviderColumnsMax)));
    widths.duration = std::max(widths.duration, DurationText(model->duration_ms).size());
  }
  widths.name = std::min(widths.name, std::max<size_t>(columns / 4, 8));
  if (columns < kColumnsForProvider) widths.provider = 0;
  return widths;
}

ViewLine ModelLine(const WatchedModel& model, const ModelColumns& widths, size_t columns) {
  LineBuilder line(columns);
  const Style style = StyleOf(model.status);
  if (columns < kColumnsForStatusWord) line.Cell(MarkOf(model.status), 1, style);
  line.Cell(NameOf(model), widths.name, Style::kBold);
  if (widths.provider > 0) line.Cell(model.provider, widths.provider, Style::kDim);
  if (columns >= kColumnsForStatusWord) line.Cell(StatusWord(model.status), 10, style);
  const std::string duration = DurationText(model.duration_ms);
  line.Cell(std::string(widths.duration - duration.size(), ' ') + duration, widths.duration);
  if (model.status == v1::MODEL_RESULT_STATUS_PROCESSING) {
    return line.AddEnd(model.text, Style::kPlain).Line();
  }
  return line.Add(model.text).Line();
}

// All, or those that matter most in their order: what writes, then what failed.
std::vector<ViewLine> ModelLines(const WatchState& state, size_t columns, size_t rows) {
  const std::vector<WatchedModel>& models = state.models();
  std::vector<const WatchedModel*> shown;
  size_t left_out = state.models_forgotten();
  if (models.size() + (left_out > 0 ? 1 : 0) <= rows) {
    for (const WatchedModel& model : models) shown.push_back(&model);
  } else {
    const size_t room = rows > 1 ? rows - 1 : rows;
    for (const auto status :
         {v1::MODEL_RESULT_STATUS_PROCESSING, v1::MODEL_RESULT_STATUS_FAILED,
          v1::MODEL_RESULT_STATUS_COMPLETED}) {
      for (const WatchedModel& model : models) {
        if (model.status == status && shown.size() < room) shown.push_back(&model);
      }
    }
    std::sort(shown.begin(), shown.end());  // they stand in one array
    left_out += models.size() - shown.size();
  }
  const ModelColumns widths = ColumnsFor(shown, columns);
  std::vector<ViewLine> lines;
  for (const WatchedModel* model : shown) lines.push_back(ModelLine(*model, widths, columns));
  if (left_out > 0 && lines.size() < rows) {
    lines.push_back(LineOf(absl::StrCat(left_out, " more"), columns, Style::kDim));
  }
  return lines;
}

// --- Questions

std::vector<ViewLine> OpenQuestionLines(const WatchState& state, const WatchedQuestion& question,
                                        const std::string& answer_flags, ViewSize size) {
  constexpr size_t kIndent = 2;
  std::vector<ViewLine> lines;
  const size_t room = size.columns - std::min(size.columns, kIndent);
  std::string text = question.id;
  if (question.until) {
    absl::StrAppend(&text, "  until ", TimeText(*question.until).substr(11, 8), " UTC");
  }
  absl::StrAppend(&text, "  ", question.question);
  const size_t lines_max = size.rows < kRowsForQuestionLines ? 1 : kQuestionLinesMax;
  for (std::string& line : ShownLines(text, room, lines_max)) {
    lines.push_back({{lines.empty() ? "? " : "  ", Style::kAsks}, {std::move(line), Style::kAsks}});
  }
  const std::string command = absl::StrCat("sessioncast answer", answer_flags, " ",
                                           state.session_id(), " ", question.id, " 'text'");
  for (std::string& line : ShownLines(command, room, kCommandLinesMax)) {
    lines.push_back({{"  "}, {std::move(line)}});
  }
  return lines;
}

ViewLine EndedQuestionLine(const WatchedQuestion& question, size_t columns) {
  const bool is_answered = question.status == v1::CLARIFICATION_STATUS_ANSWERED;
  LineBuilder line(columns);
  line.Add(is_answered ? "✓ " : "✗ ", is_answered ? Style::kGood : Style::kDim);
  line.Add(ShownBegin(question.id, columns / 4), Style::kBold).Add("  ");
  line.Add(StatusWord(question.status), is_answered ? Style::kGood : Style::kDim).Add("  ");
  line.Add(ShownBegin(question.question, question.response ? line.left() / 2 : line.left()));
  if (question.response) line.Add("  → ").Add(*question.response);
  return line.Line();
}

struct QuestionLines {
  std::vector<ViewLine> open;
  std::vector<ViewLine> ended;  // the newest ones
};

// As many open ones as there is room for in `rows`, the oldest first.
QuestionLines AllQuestionLines(const WatchState& state, const std::string& answer_flags,
                               ViewSize size, size_t rows) {
  QuestionLines lines;
  size_t left_out = 0;
  for (const WatchedQuestion& question : state.questions()) {
    if (question.status != v1::CLARIFICATION_STATUS_PENDING) {
      lines.ended.push_back(EndedQuestionLine(question, size.columns));
      continue;
    }
    std::vector<ViewLine> own = OpenQuestionLines(state, question, answer_flags, size);
    const bool is_first = lines.open.empty();
    if (left_out > 0 || (!is_first && lines.open.size() + own.size() + 1 > rows)) {
      ++left_out;
      continue;
    }
    if (own.size() > rows) own.resize(rows);
    std::move(own.begin(), own.end(), std::back_inserter(lines.open));
  }
  if (left_out > 0 && lines.open.size() < rows) {
    lines.open.push_back(
        LineOf(absl::StrCat(left_out, " more open"), size.columns, Style::kAsks));
  }
  if (lines.ended.size() > kEndedQuestionsShownMax) {
    lines.ended.erase(lines.ended.begin(), lines.ended.end() - kEndedQuestionsShownMax);
  }
  return lines;
}

// --- All of it

class Page {
 public:
  explicit Page(ViewSize size) : size_(size) {}

  size_t left() const { return size_.rows - std::min(size_.rows, lines_.size()); }
  // Of a section, beside its lines.
  size_t heading_rows() const {
    return (size_.rows >= kRowsForHeadings ? 1 : 0) + (size_.rows >= kRowsForBlankLines ? 1 : 0);
  }

  void Add(std::vector<ViewLine> lines) {
    for (ViewLine& line : lines) {
      if (left() > 0) lines_.push_back(std::move(line));
    }
  }
  void AddSection(std::string_view heading, std::vector<ViewLine> lines) {
    if (lines.empty()) return;
    if (size_.rows >= kRowsForBlankLines) Add({ViewLine()});
    if (size_.rows >= kRowsForHeadings) Add({LineOf(heading, size_.columns, Style::kDim)});
    Add(std::move(lines));
  }

  std::vector<ViewLine> Lines() && { return std::move(lines_); }

 private:
  const ViewSize size_;
  std::vector<ViewLine> lines_;
};

constexpr size_t kSections = 3;

size_t Less(size_t a, size_t b) { return a - std::min(a, b); }

}  // namespace

std::vector<ViewLine> Draw(const WatchState& state, const std::string& answer_flags, ViewSize size,
                           WatchState::Clock::time_point now) {
  Page page(size);
  page.Add(HeaderLines(state, size, now));
  page.Add(ProgressLines(state, size));
  const std::vector<ViewLine> end = EndLines(state, size);
  const size_t blank_before_end = !end.empty() && size.rows >= kRowsForBlankLines ? 1 : 0;
  size_t room = Less(page.left(), end.size() + blank_before_end);

  // A person who is asked comes first, then the models; the events have what is left, but a quarter
  // of that at least.
  QuestionLines questions = AllQuestionLines(state, answer_flags, size,
                                             std::min(room, std::max<size_t>(room / 2, 2)));
  room = Less(room, questions.open.size() + kSections * page.heading_rows());
  const size_t for_events = std::min(state.event_lines().size(), room / 4);
  const std::vector<ViewLine> models = ModelLines(state, size.columns, Less(room, for_events));
  room = Less(room, models.size());
  const size_t ended = std::min(questions.ended.size(), Less(room, for_events));
  std::vector<ViewLine>& question_lines = questions.open;
  question_lines.insert(question_lines.end(), questions.ended.end() - ended, questions.ended.end());

  page.AddSection("models", models);
  page.AddSection("questions", question_lines);
  const size_t rows = Less(page.left(), end.size() + blank_before_end);
  const size_t event_rows =
      std::min(state.event_lines().size(), Less(rows, page.heading_rows()));
  const std::deque<std::string>& event_lines = state.event_lines();
  std::vector<ViewLine> events;
  for (size_t n = event_lines.size() - event_rows; n < event_lines.size(); ++n) {
    events.push_back(LineOf(event_lines[n], size.columns));
  }
  page.AddSection("events", std::move(events));
  if (blank_before_end > 0) page.Add({ViewLine()});
  page.Add(end);
  return std::move(page).Lines();
}

}  // namespace sessioncast::tool
