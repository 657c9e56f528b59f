#include "tests/support/leak_check.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>

#include "gtest/gtest.h"
#include "tests/support/footprint.h"

namespace sessioncast::tests {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kWarmUpClients = 500;
constexpr size_t kFirstClients = 1'000;
constexpr size_t kClients = 10'000;
// Less than ten bytes a client: what vectors and tables keep for the next crowd.
constexpr int64_t kHeapGrowthBytesMax = 100'000;
constexpr std::chrono::seconds kSettleTime{30};
constexpr std::chrono::milliseconds kSettleStep{1};

struct Reading {
  size_t connections = 0;
  engineio::Held held;
  size_t descriptors = 0;
  size_t heap_bytes = 0;
};

class Check {
 public:
  Check(const LeakSubject& subject, const LeakStep& step) : subject_(subject), step_(step) {}

  void Run();

 private:
  void Drive(size_t clients);
  // Returns how many of so many new clients came to the end of the step.
  size_t DriveGroup(size_t clients);
  Reading Read() const;
  // What is held as soon as nothing is, or when it is time.
  Reading Settle();
  void ExpectAsBefore(const Reading& before, const Reading& after) const;
  void Print(const Reading& before, const Reading& first, const Reading& last) const;

  const LeakSubject& subject_;
  const LeakStep& step_;
  size_t done_ = 0;
  size_t late_ = 0;
};

void Check::Run() {
  const size_t descriptors = OpenDescriptors();
  Drive(std::max(kWarmUpClients, step_.group));
  const Reading before = Settle();
  // Fewer is none: something of the start was open still when they were counted.
  EXPECT_LE(before.descriptors, descriptors);
  Drive(kFirstClients);
  const Reading first = Settle();
  ExpectAsBefore(before, first);
  Drive(kClients - kFirstClients);
  const Reading last = Settle();
  ExpectAsBefore(before, last);
  EXPECT_GE(subject_.ended(), done_) << "connections that ended as they should";
  Print(before, first, last);
}

void Check::Drive(size_t clients) {
  for (size_t left = clients; left > 0 && !::testing::Test::HasFailure();) {
    const size_t group = std::min(left, step_.group);
    const size_t done = DriveGroup(group);
    left -= done;
    done_ += done;
    late_ += group - done;
    EXPECT_LE(late_ * 100, (done_ + late_) * step_.late_percent_max) << "clients that failed";
    Settle();
    if (step_.after_group) step_.after_group();
  }
}

size_t Check::DriveGroup(size_t clients) {
  std::vector<std::unique_ptr<LeakClient>> group;
  for (size_t i = 0; i < clients; ++i) {
    group.push_back(std::make_unique<LeakClient>(subject_.port, subject_.path, i));
  }
  for (size_t i = 0; i < step_.sentences.size(); ++i) {
    const size_t failed =
        std::erase_if(group, [&](const auto& client) { return !step_.sentences[i](*client); });
    if (step_.late_percent_max == 0) {
      EXPECT_EQ(failed, 0u) << "clients, at sentence " << i + 1;
    }
  }
  return group.size();
}

Reading Check::Read() const {
  // Counted twice: a TCP connection that moves from one I/O thread to another may hide once.
  subject_.held();
  Reading reading = {subject_.connections(), subject_.held(), OpenDescriptors(), 0};
  reading.heap_bytes = LiveHeapBytes();
  return reading;
}

Reading Check::Settle() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const Clock::time_point deadline = Clock::now() + kSettleTime;
  while (true) {
    const Reading reading = Read();
    const bool is_settled = reading.connections == 0 && reading.held.sids == 0 &&
                            reading.held.tcp_connections == 0 && reading.held.timers == 0;
    if (is_settled) return Read();
    if (Clock::now() >= deadline) {
      ADD_FAILURE() << "still held: " << reading.connections << " connections, "
                    << reading.held.sids << " sids, " << reading.held.tcp_connections
                    << " TCP connections, " << reading.held.timers << " timers";
      return reading;
    }
    never.wait_for(lock, kSettleStep);
  }
}

void Check::ExpectAsBefore(const Reading& before, const Reading& after) const {
  EXPECT_EQ(after.descriptors, before.descriptors);
  const auto growth =
      static_cast<int64_t>(after.heap_bytes) - static_cast<int64_t>(before.heap_bytes);
  EXPECT_LT(growth, kHeapGrowthBytesMax) << "bytes of the heap";
}

void Check::Print(const Reading& before, const Reading& first, const Reading& last) const {
  static bool has_header = false;
  if (!has_header) {
    std::printf("%-66s %7s %5s %11s %5s %10s %10s %10s\n", "step", "clients", "late", "descriptors",
                "sids", "heap", "+1,000", "+10,000");
  }
  has_header = true;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = std::string(test->test_suite_name()) + "." + test->name();
  std::printf("%-66s %7zu %5zu %5zu %5zu %5zu %10zu %+10ld %+10ld\n", name.c_str(), done_, late_,
              before.descriptors, last.descriptors, last.held.sids, before.heap_bytes,
              static_cast<long>(first.heap_bytes - before.heap_bytes),
              static_cast<long>(last.heap_bytes - before.heap_bytes));
}

}  // namespace

void ExpectNothingLeft(const LeakSubject& subject, const LeakStep& step) {
  Check(subject, step).Run();
}

}  // namespace sessioncast::tests
