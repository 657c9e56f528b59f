#include "control/rocksdb_options.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/table.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

constexpr size_t kLogLineBytesMax = 1'024;

// What RocksDB has to say that matters goes to our log. Its own log file is on the disk that may be
// full, and Debian's build ends the process (an assertion) when it writes there once more after
// that.
class Log : public rocksdb::Logger {
 public:
  Log() : Logger(rocksdb::WARN_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, kLogLineBytesMax> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    spdlog::warn("store: {}", std::string(absl::StripTrailingAsciiWhitespace(line.data())));
  }
};

}  // namespace

rocksdb::Options DbOptions(const RocksDbStoreOptions& options) {
  rocksdb::Options db_options;
  if (options.env != nullptr) db_options.env = options.env;
  db_options.create_if_missing = true;
  // Only this store decides when it is whole again: it opens it anew.
  db_options.max_bgerror_resume_count = 0;
  db_options.write_buffer_size = options.write_buffer_bytes;
  // There is one writer.
  db_options.allow_concurrent_memtable_write = false;
  db_options.max_open_files = options.open_files_max;
  db_options.info_log = std::make_shared<Log>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  db_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db_options;
}

}  // namespace sessioncast::control
