// Package repo holds the tests of the repository itself: that the core needs
// nothing but the standard library, that the code in the documents is the code
// that is compiled, that links lead somewhere, that the modules agree.
// Its programs, apidoc and rename, are run by make.
package repo
