#include "edge/web_root.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sessioncast::edge {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndex = "index.html";

std::string TypeOf(const fs::path& file) {
  static const std::map<std::string, std::string, std::less<>> kTypes = {
      {".avif", "image/avif"},
      {".css", "text/css; charset=utf-8"},
      {".gif", "image/gif"},
      {".htm", "text/html; charset=utf-8"},
      {".html", "text/html; charset=utf-8"},
      {".ico", "image/x-icon"},
      {".jpeg", "image/jpeg"},
      {".jpg", "image/jpeg"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json; charset=utf-8"},
      {".map", "application/json; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".pdf", "application/pdf"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".ttf", "font/ttf"},
      {".txt", "text/plain; charset=utf-8"},
      {".wasm", "application/wasm"},
      {".webmanifest", "application/manifest+json"},
      {".webp", "image/webp"},
      {".woff", "font/woff"},
      {".woff2", "font/woff2"},
      {".xml", "text/xml; charset=utf-8"},
  };
  const auto found = kTypes.find(absl::AsciiStrToLower(file.extension().string()));
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

// As a browser writes a path: what the URL standard percent-encodes there, and '%' itself.
std::string EncodedPath(std::string_view path) {
  constexpr std::string_view kEncoded = " \"#%<>?^`{}";
  std::string out;
  for (const char letter : path) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte > 0x7e || kEncoded.find(letter) != std::string_view::npos) {
      constexpr char kDigits[] = "0123456789ABCDEF";
      out.append({'%', kDigits[byte / 16], kDigits[byte % 16]});
    } else {
      out.push_back(letter);
    }
  }
  return out;
}

class Reader {
 public:
  explicit Reader(const WebRootOptions& options) : options_(options) {}

  absl::StatusOr<std::map<std::string, WebFile>> Read() {
    std::error_code error;
    root_ = fs::canonical(options_.directory, error);
    if (error) return Error(error.message());
    fs::recursive_directory_iterator at(root_, error);
    if (error) return Error(error.message());
    for (; at != fs::recursive_directory_iterator(); at.increment(error)) {
      const bool is_hidden = at->path().filename().string().front() == '.';
      if (is_hidden) {
        at.disable_recursion_pending();
        continue;
      }
      if (absl::Status status = Add(*at); !status.ok()) return status;
    }
    // An error ends the walk.
    if (error) return Error(error.message());
    if (!files_.contains("/")) return Error("there is no index.html in it");
    return std::move(files_);
  }

 private:
  absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("--web_root=", options_.directory, ": ", std::string(what)));
  }

  absl::Status Add(const fs::directory_entry& entry) {
    const std::string name = entry.path().lexically_relative(root_).generic_string();
    std::error_code error;
    const fs::path target = fs::canonical(entry.path(), error);
    if (error) return Error(absl::StrCat(name, ": ", error.message()));
    const fs::path inside = target.lexically_relative(root_);
    if (*inside.begin() == "..") return Error(absl::StrCat(name, ": a link that leads out of it"));
    if (!fs::is_regular_file(target, error)) {
      return error ? Error(absl::StrCat(name, ": ", error.message())) : absl::OkStatus();
    }
    if (files_read_++ == options_.files_max) {
      return Error(absl::StrCat("has more than ", options_.files_max, " files"));
    }
    std::ifstream file(target, std::ios::binary);
    WebFile served{TypeOf(entry.path()), {}};
    char block[64 * 1024];
    while (file.read(block, sizeof block), file.gcount() > 0) {
      served.body.append(block, static_cast<size_t>(file.gcount()));
      if (bytes_ + served.body.size() > options_.bytes_max) {
        return Error(absl::StrCat("its files have more than ", options_.bytes_max,
                                  " bytes (--web_root_bytes_max)"));
      }
    }
    if (!file.eof()) return Error(absl::StrCat(name, ": cannot be read"));
    bytes_ += served.body.size();
    const std::string path = EncodedPath("/" + name);
    if (entry.path().filename() == kIndex) {
      files_[path.substr(0, path.size() - kIndex.size())] = served;
    }
    files_[path] = std::move(served);
    return absl::OkStatus();
  }

  const WebRootOptions& options_;
  fs::path root_;
  std::map<std::string, WebFile> files_;
  size_t files_read_ = 0;
  size_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::map<std::string, WebFile>> ReadWebRoot(const WebRootOptions& options) {
  return Reader(options).Read();
}

}  // namespace sessioncast::edge
