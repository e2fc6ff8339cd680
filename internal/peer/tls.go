// Package peer speaks the members' protocol: HTTPS with TLS 1.3 and pinned keys, the member logs below
// /log/ (C2SP tlog-tiles), server-sent events for what is new, and the few posts by which members join,
// tell their keys and confirm what they act on (DESIGN.md, decision 7).
//
// It is protocol only: what may be served and what a message means is decided behind Backend.
package peer

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ExporterLabel is the TLS exporter by which a joiner's proof is bound to its connection
// (DESIGN.md, "Invite token").
const ExporterLabel = "EXPORTER-shieldwall-join"

// exporterSize is the exporter's length in bytes.
const exporterSize = 32

// baseTLS holds what both sides insist on: TLS 1.3, hybrid post-quantum groups, no resumption
// (after a resumption certificates are not looked at again).
func baseTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768},
		SessionTicketsDisabled: true,
		Certificates:           []tls.Certificate{cert},
	}
}

// ServerTLS is the listening side's configuration. Every client must show a certificate; whose it is
// decides the handler, because a TLS 1.3 client has finished its handshake before a refusal would
// reach it: an HTTP answer can say why.
func ServerTLS(cert tls.Certificate) *tls.Config {
	c := baseTLS(cert)
	c.ClientAuth = tls.RequireAnyClientCert
	c.NextProtos = []string{"h2", "http/1.1"}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		_, err := Pin(cs)
		return err
	}
	return c
}

// ClientTLS is the dialling side's configuration: the server must hold one of the pinned keys.
func ClientTLS(cert tls.Certificate, pins func() []string) *tls.Config {
	c := baseTLS(cert)
	// There is no certification authority: the pin in VerifyConnection is the whole check.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(cs tls.ConnectionState) error { return checkPin(cs, pins()) }
	return c
}

// checkPin wants the other side to hold one of the pinned keys.
func checkPin(cs tls.ConnectionState, pins []string) error {
	got, err := Pin(cs)
	if err != nil {
		return err
	}
	if !slices.Contains(pins, got) {
		return fmt.Errorf("the server's key %s is not the one its card pins", got)
	}
	return nil
}

// Pin is the SHA-256 (hex) of the peer certificate's SubjectPublicKeyInfo.
func Pin(cs tls.ConnectionState) (string, error) {
	if len(cs.PeerCertificates) == 0 {
		return "", errors.New("the peer showed no certificate")
	}
	return SPKIPin(cs.PeerCertificates[0]), nil
}

// SPKIPin is the pin of a certificate.
func SPKIPin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}
