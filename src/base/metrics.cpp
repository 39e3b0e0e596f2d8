#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace spaktok::metrics {

namespace {

prometheus::Registry& registry() {
    static prometheus::Registry instance;
    return instance;
}

const prometheus::Histogram::BucketBoundaries& seconds_buckets() {
    static const prometheus::Histogram::BucketBoundaries buckets{
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
    return buckets;
}

}  // namespace

void Counter::add(double amount) {
    static_cast<prometheus::Counter*>(implementation_)->Increment(amount);
}
void Gauge::set(double value) {
    static_cast<prometheus::Gauge*>(implementation_)->Set(value);
}
void Gauge::add(double amount) {
    static_cast<prometheus::Gauge*>(implementation_)->Increment(amount);
}
void Histogram::observe(double seconds) {
    static_cast<prometheus::Histogram*>(implementation_)->Observe(seconds);
}

Counter counter(const std::string& name, const std::string& help, const Labels& labels) {
    return Counter(&prometheus::BuildCounter().Name(name).Help(help).Register(registry()).Add(labels));
}

Gauge gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return Gauge(&prometheus::BuildGauge().Name(name).Help(help).Register(registry()).Add(labels));
}

Histogram histogram(const std::string& name, const std::string& help, const Labels& labels) {
    return Histogram(&prometheus::BuildHistogram()
                          .Name(name)
                          .Help(help)
                          .Register(registry())
                          .Add(labels, seconds_buckets()));
}

std::string expose() {
    return prometheus::TextSerializer().Serialize(registry().Collect());
}

}  // namespace spaktok::metrics
