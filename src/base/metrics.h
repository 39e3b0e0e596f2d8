// Counters, gauges and histograms, exposed in Prometheus' text format. Thread-safe; one registry a process.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace spaktok::metrics {

using Labels = std::map<std::string, std::string>;

// Handles are cheap to copy, valid for the life of the process, and atomic to use. Look them up once, not per
// event.
class Counter {
  public:
    void add(double amount = 1);

  private:
    friend Counter counter(const std::string&, const std::string&, const Labels&);
    explicit Counter(void* implementation) : implementation_(implementation) {}
    void* implementation_;
};
class Gauge {
  public:
    void set(double value);
    void add(double amount);

  private:
    friend Gauge gauge(const std::string&, const std::string&, const Labels&);
    explicit Gauge(void* implementation) : implementation_(implementation) {}
    void* implementation_;
};
class Histogram {
  public:
    void observe(double seconds);

  private:
    friend Histogram histogram(const std::string&, const std::string&, const Labels&);
    explicit Histogram(void* implementation) : implementation_(implementation) {}
    void* implementation_;
};

// Names follow Prometheus' conventions: spaktok_http_requests_total, spaktok_rtmp_publishers, …_seconds,
// …_bytes. The same name and labels give the same series.
Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
// Durations in seconds; buckets from 100 µs to 10 s.
Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {});

// The whole registry in text exposition format 0.0.4.
std::string expose();

}  // namespace spaktok::metrics
