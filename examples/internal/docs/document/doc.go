// Package document is the user code of the document that this project comes
// from, word for word but for comments, shown in docs/architecture.md. That it
// compiles is the point. undefined.go and the packages below stand for the
// names that the document leaves undefined.
package document
