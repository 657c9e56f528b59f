// What clients of a leak check may say, to be put together.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/leak_client.h"

namespace sessioncast::tests {

using Sentence = std::function<bool(LeakClient&)>;
using Sentences = std::vector<Sentence>;

inline Sentence SendsPost(std::string body) {
  return [body = std::move(body)](LeakClient& client) { return client.SendPost(body); };
}
inline Sentence IsAnswered(std::string body) {
  return [body = std::move(body)](LeakClient& client) { return client.ReadAnswer(body); };
}
inline Sentence SendsFrame(std::string text) {
  return [text = std::move(text)](LeakClient& client) { return client.SendFrame(text); };
}
inline Sentence SendsBytes(std::string bytes) {
  return [bytes = std::move(bytes)](LeakClient& client) { return client.SendBytes(bytes); };
}
// The text that comes next begins so.
inline Sentence ReadsFrame(std::string begin) {
  return [begin = std::move(begin)](LeakClient& client) { return client.ReadFrame(begin); };
}

inline Sentences Then(Sentences sentences, Sentences more) {
  sentences.insert(sentences.end(), more.begin(), more.end());
  return sentences;
}
// All of them before the next client says anything.
inline Sentence InOneGo(Sentences sentences) {
  return [sentences = std::move(sentences)](LeakClient& client) {
    const auto succeeds = [&](const Sentence& sentence) { return sentence(client); };
    return std::all_of(sentences.begin(), sentences.end(), succeeds);
  };
}

inline Sentences OpensPolling(Sentences more) {
  return Then({&LeakClient::SendGet, &LeakClient::ReadOpen}, std::move(more));
}
inline Sentences OpensWebSocket(Sentences more) {
  return Then({&LeakClient::SendWebSocketRequest, &LeakClient::ReadWebSocketOpen}, std::move(more));
}

}  // namespace sessioncast::tests
