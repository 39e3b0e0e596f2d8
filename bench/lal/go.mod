module spaktok-bench/lal

go 1.25.0

require github.com/q191201771/lal v0.37.4

require github.com/q191201771/naza v0.30.48 // indirect
