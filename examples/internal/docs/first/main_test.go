package main

func Example() {
	main()

	// Output:
	// recorded tea
	// <nil>
	// signals: listener 0 "validate" of "order.placed" failed: order 2 is for nothing
}
