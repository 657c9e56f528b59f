#include "tools/daemon/log.h"

#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace sessioncast::daemon {
namespace {

// The message as the inside of a JSON string.
class JsonMessageFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    static constexpr char kHex[] = "0123456789abcdef";
    for (const char c : message.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (byte < 0x20) {
        for (const char escaped : {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) {
          out.push_back(escaped);
        }
      } else {
        out.push_back(c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessageFlag>();
  }
};

}  // namespace

void AddLogFlags(CLI::App& app, LogOptions& options) {
  app.add_option("--log_level", options.level,
                 "How much is logged; debug shows each packet's type and size")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->envname("SESSIONCAST_LOG_LEVEL")
      ->capture_default_str();
  app.add_option("--log_format", options.format, "Lines for people, or one JSON object a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->envname("SESSIONCAST_LOG_FORMAT")
      ->capture_default_str();
}

absl::Status StartLog(const LogOptions& options) {
  if (options.format != "text" && options.format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("log_format: must be text or json, is ", options.format));
  }
  auto logger = spdlog::stderr_color_mt("sessioncast");
  logger->set_level(spdlog::level::from_str(options.level));
  logger->flush_on(spdlog::level::trace);
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (options.format == "json") {
    formatter->add_flag<JsonMessageFlag>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%*"})");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v");
  }
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

void LogReload(const absl::Status& status) {
  if (status.ok()) {
    spdlog::info("SIGHUP: keys and certificates are read again");
  } else {
    spdlog::error("SIGHUP: all stays as it was: {}", std::string(status.message()));
  }
}

std::string ForLog(std::string_view text, size_t bytes_max) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      for (const char escaped : {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]})
        out.push_back(escaped);
    } else {
      out.push_back(c);
    }
  }
  if (text.size() > bytes_max) out.append("...");
  return out;
}

}  // namespace sessioncast::daemon
