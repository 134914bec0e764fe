// Package contract holds the tests of the contract in the package comment of
// signals, with nothing but its public interface: what each sentence promises,
// a model that random programs are compared with, what must never be lost under
// load, what is allocated and kept, and the benchmarks and figures.
package contract
