#!/usr/bin/env bash
# A job by hand: publishes into a session over gRPC, with grpcurl and nothing else.
#
#   examples/grpcurl.sh [SESSION [HOST:PORT]]     # watch it at http://localhost:3000/?session=SESSION
#
# Control describes itself by reflection, so no .proto is needed. With tokens, or TLS, say how to call it:
#   GRPCURL_FLAGS="-H 'authorization: Bearer TOKEN' -cacert ca.pem" examples/grpcurl.sh
set -euo pipefail

session=${1:-by-hand-$$}
control=${2:-localhost:50051}
eval "flags=(${GRPCURL_FLAGS:--plaintext})"

# call METHOD BODY: one call of the service, its answer on standard output.
call() {
  grpcurl "${flags[@]}" -d "$2" "$control" "sessioncast.v1.SessionService/$1"
}

# publish KIND_AND_FIELDS [KEY]: one event; when the call returns it is durable, and the answer says where it is.
# With a key, calling again stores nothing twice.
publish() {
  call PublishEvent "{\"event\": {\"sessionId\": \"$session\", $1}, \"idempotencyKey\": \"${2:-}\"}"
}

echo "# The calls that there are"
grpcurl "${flags[@]}" "$control" list sessioncast.v1.SessionService

echo "# Progress, with a key, twice: the second answer says duplicate"
progress='"progress": {"progress": 25, "status": "SESSION_STATUS_PROCESSING", "prompts": {"total": 2, "processing": 2}}'
publish "$progress" first
publish "$progress" first

echo "# A model writes, then has written"
publish '"modelResult": {"modelName": "llama3.1:8b", "status": "MODEL_RESULT_STATUS_PROCESSING", "result": "The contract"}'
publish '"modelResult": {"modelName": "llama3.1:8b", "status": "MODEL_RESULT_STATUS_COMPLETED", "duration": 1200,
  "result": "The contract runs until 2027."}'

echo "# A question, which whoever looks at the page may answer for ten seconds; without an answer it is English"
call AskClarification "{\"sessionId\": \"$session\", \"clarificationId\": \"language\", \"question\": \"Which language?\",
  \"timeLimit\": \"10s\", \"defaultResponse\": \"English\"}"

echo "# An event of your own, and the end"
publish '"custom": {"name": "page_read", "data": {"page": 3}}'
publish '"completed": {"result": {"pages": 3, "summary": "runs until 2027"}}'

echo "# All of it, from the log"
call StreamSession "{\"sessionId\": \"$session\"}"
