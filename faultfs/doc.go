// Package faultfs is a file system for tests that forgets, tears and fails on
// command: it shows whether what a program acknowledged is really on the disk.
package faultfs
