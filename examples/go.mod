module example.com/signals/examples

go 1.26.0

require (
	example.com/signals v0.0.0
	github.com/HdrHistogram/hdrhistogram-go v1.1.2
	github.com/shopspring/decimal v1.6.0
	go.uber.org/goleak v1.3.0
	golang.org/x/term v0.47.0
)

require golang.org/x/sys v0.49.0 // indirect

replace example.com/signals => ../
