// Plain HTTP beside Socket.IO: the REST calls of docs/PROTOCOL.md, health, and the page.
//
// Threads: requests are answered on the I/O thread that owns their connection.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "edge/access.h"
#include "edge/engineio/http.h"
#include "edge/readiness.h"
#include "edge/upstream.h"
#include "edge/web_files.h"

namespace sessioncast::edge {

class Rest {
 public:
  // `upstream_of`: the line to control of a request's I/O thread. `files`: by path ("/",
  // "/page.js"); `file_headers` go with each.
  Rest(const Readiness& readiness, const std::map<std::string, WebFile>& files,
       engineio::HttpFields file_headers,
       const Access& access, std::function<Upstream&(const engineio::IoThread&)> upstream_of);

  void Answer(engineio::IoThread& thread, const engineio::HttpRequest& request,
              engineio::HttpReply reply) const;

 private:
  void GetSession(Upstream& upstream, const Permit& permit, const std::string& session_id,
                  engineio::HttpReply reply) const;
  void ListSessions(Upstream& upstream, const Permit& permit, const engineio::HttpFields& query,
                    engineio::HttpReply reply) const;
  void Respond(Upstream& upstream, const Permit& permit, const std::string& body,
               engineio::HttpReply reply) const;
  engineio::HttpResponse Ready() const;

  const Readiness& readiness_;
  const std::map<std::string, WebFile>& files_;
  const engineio::HttpFields file_headers_;
  const Access& access_;
  const std::function<Upstream&(const engineio::IoThread&)> upstream_of_;
};

}  // namespace sessioncast::edge
