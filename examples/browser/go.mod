module example.com/signals/examples/browser

go 1.26.0

require (
	example.com/signals/examples v0.0.0
	github.com/chromedp/cdproto v0.159.2
	github.com/chromedp/chromedp v0.23.0
)

require (
	example.com/signals v0.0.0 // indirect
	example.com/signals/resilience v0.0.0 // indirect
	github.com/HdrHistogram/hdrhistogram-go v1.1.2 // indirect
	github.com/cenkalti/backoff/v7 v7.0.3 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/shopspring/decimal v1.6.0 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace (
	example.com/signals => ../../
	example.com/signals/examples => ../
	example.com/signals/promsignals => ../../promsignals
	example.com/signals/resilience => ../../resilience
)
