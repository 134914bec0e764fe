module example.com/signals/examples

go 1.26.0

require example.com/signals v0.0.0

replace example.com/signals => ../
