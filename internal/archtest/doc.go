// Package archtest holds the project to its own structure: which package may import which, what words may
// not do, and how large things may grow (DESIGN.md, "Layers"). It has no code outside its test.
package archtest
