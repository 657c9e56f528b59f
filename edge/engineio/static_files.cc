#include "edge/engineio/static_files.h"

#include "absl/strings/str_cat.h"

namespace sessioncast::engineio {

std::optional<HttpResponse> ServeFile(const StaticFiles& files, std::string_view name,
                                      const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  const auto file = files.files.find(std::string(name));
  if (file == files.files.end()) return std::nullopt;
  const std::string tag = absl::StrCat("\"", files.version, "\"");
  HttpResponse response;
  response.headers = {{"Cache-Control", "public, max-age=0"}, {"ETag", tag}};
  const std::string_view known = FindField(request.headers, "If-None-Match");
  if (known == tag || known == absl::StrCat("W/", tag)) {
    response.status = 304;
    return response;
  }
  response.headers.emplace_back("Content-Type", file->second.content_type);
  response.body = file->second.body;
  return response;
}

}  // namespace sessioncast::engineio
