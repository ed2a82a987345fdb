// Threads: those of the OpenMP runtime that the process has already (PyTorch's), so that there is
// no second pool beside the one that waits spinning; else a pool of our own that waits parked.
//
// Work is claimed task by task, so a thread that wakes late finds nothing left, and the caller waits
// only for tasks that have begun.

#include "parallel.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace kan {
namespace {

// On a machine with fewer processors too, so that a test there sees several threads.
constexpr int FEWEST_POSSIBLE_THREADS = 4;

struct Job {
    std::ptrdiff_t tasks;
    Task task;
    void* context;
    std::atomic<std::ptrdiff_t> next{0};
    std::atomic<int> workers{0};

    void work() {
        const int worker = workers.fetch_add(1);
        for (std::ptrdiff_t t; (t = next.fetch_add(1)) < tasks;) task(context, t, worker);
    }
};

class Pool {
   public:
    // One job at a time: a caller that finds the pool at work does its job alone.
    void run(Job& job, int helpers) {
        std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
        if (!turn.owns_lock()) return job.work();
        {
            std::lock_guard<std::mutex> lock(mutex_);
            grow(helpers);
            job_ = &job;
            seats_ = helpers < size_ ? helpers : size_;
        }
        wake_.notify_all();
        job.work();
        std::unique_lock<std::mutex> lock(mutex_);
        job_ = nullptr;
        idle_.wait(lock, [this] { return active_ == 0; });
    }

   private:
    void grow(int helpers) {
        try {
            for (; size_ < helpers; ++size_) std::thread(&Pool::serve, this).detach();
        } catch (const std::exception&) {
            // No more threads or no memory for one: those there are, with the caller, do all tasks.
        }
    }

    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return job_ && seats_ > 0; });
            Job* job = job_;
            --seats_;
            ++active_;
            lock.unlock();
            job->work();
            lock.lock();
            if (--active_ == 0) idle_.notify_one();
        }
    }

    std::mutex turn_, mutex_;
    std::condition_variable wake_, idle_;
    Job* job_ = nullptr;
    int size_ = 0, seats_ = 0, active_ = 0;
};

std::atomic<OpenMP> openmp{nullptr};
std::atomic<Pool*> pool{nullptr};

// Never destroyed: its threads may be parked in it until the process ends. Null without memory.
Pool* own_pool() {
    Pool* existing = pool.load();
    if (existing) return existing;
    Pool* fresh = new (std::nothrow) Pool;
    if (!fresh || pool.compare_exchange_strong(existing, fresh)) return fresh;
    delete fresh;
    return existing;
}

// A forked child has none of its parent's threads, and libgomp would wait for them for ever.
void forget_threads() {
    openmp = nullptr;
    pool = nullptr;
}

#ifndef _WIN32
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, forget_threads);
#endif

}  // namespace

void parallel(std::ptrdiff_t tasks, int threads, Task task, void* context) {
    Job job{tasks, task, context};
    if (threads > tasks) threads = static_cast<int>(tasks);
    const OpenMP runtime = openmp.load();
    if (threads <= 1)
        job.work();
    else if (runtime)
        runtime([](void* data) { static_cast<Job*>(data)->work(); }, &job,
                static_cast<unsigned>(threads), 0);
    else if (Pool* own = own_pool())
        own->run(job, threads - 1);
    else
        job.work();
}

int most_threads() {
    static const int most = [] {
        const unsigned processors = std::thread::hardware_concurrency();
        return processors > FEWEST_POSSIBLE_THREADS ? static_cast<int>(processors)
                                                    : FEWEST_POSSIBLE_THREADS;
    }();
    return most;
}

void share_threads_of(OpenMP runtime) { openmp = runtime; }

}  // namespace kan
