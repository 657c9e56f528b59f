// How the programs' allocator, jemalloc, is set up; it reads this when it starts (jemalloc(3)).
// Free pages go back to the system within seconds, by a thread of its own, also when nothing is
// allocated any more: what a storm of connections took is given back.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:5000,muzzy_decay_ms:0";
}
