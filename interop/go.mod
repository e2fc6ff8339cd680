module shieldwall/interop

go 1.26.8

require shieldwall v0.0.0

replace shieldwall => ../
