// How RocksDB is set up. Internal: of rocksdb_store alone.
//
// Pure; any thread.
#pragma once

#include "control/rocksdb_store.h"
#include "rocksdb/options.h"

namespace sessioncast::control {

rocksdb::Options DbOptions(const RocksDbStoreOptions& options);

}  // namespace sessioncast::control
