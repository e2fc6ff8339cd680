//go:build !amd64

package match

// cutTokens is cutPlain: see the file for amd64.
func cutTokens(text string, yield func(tokenKind, string) bool) { cutPlain(text, yield) }
