package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/ingest/follow"
	"shieldwall/internal/object"
	"shieldwall/internal/roster"
	"shieldwall/internal/stix"
)

const (
	maxHold    = 90 * day
	minTick    = time.Second
	maxTick    = day
	minMaxSize = 1 << 20
	minMaxAge  = time.Minute
)

var (
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	wordPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)
)

// Validate refuses what cannot work and what would be dangerous. Every problem names its key.
func (c *Config) Validate() error {
	var problems []error
	check := func(key string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", key, err))
		}
	}
	check("member", checkMember(c.Member))
	check("guard", c.checkGuard())
	check("page.listen", c.checkPage())
	check("page.hosts", each(c.Page.Hosts, checkHost))
	check("peer.listen", c.checkPeer())
	check("peer.advertise", each(c.Peer.Advertise, checkEndpoint))
	check("hold", atMost(c.Hold, maxHold))
	check("deny", each(c.Deny, c.checkDeny))
	check("detections.max_age", atLeast(c.Detections.MaxAge, minMaxAge))
	if c.Detections.MaxSize < minMaxSize {
		check("detections.max_size", fmt.Errorf("less than %s", Size(minMaxSize)))
	}
	check("sightings.tick", errors.Join(atLeast(c.Sightings.Tick, minTick), atMost(c.Sightings.Tick, maxTick)))
	check("sightings.as", c.checkAs())
	check("sightings.to", each(c.Sightings.To, checkReader))
	check("taxii.listen", c.checkTAXII())
	check("taxii.key", c.checkTAXIIKey())
	if c.TAXII.URL != "" {
		check("taxii.url", checkEndpoint(c.TAXII.URL))
	}
	check("inbox.tlp", c.checkInboxTLP())
	check("inbox.to", each(c.Inbox.To, c.checkInboxReader))
	for i, f := range c.Ingest.Follow {
		check(fmt.Sprintf("ingest.follow[%d]", i), c.checkFollow(i, f))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		check("log.level", fmt.Errorf("%q is none of debug, info, warn, error", clip(c.Log.Level)))
	}
	return errors.Join(problems...)
}

func each(values []string, check func(string) error) error {
	var errs []error
	for _, v := range values {
		errs = append(errs, check(v))
	}
	return errors.Join(errs...)
}

func atMost(d Duration, limit time.Duration) error {
	if d.Std() > limit {
		return fmt.Errorf("%s is more than %s", d, Duration(limit))
	}
	return nil
}

func atLeast(d Duration, limit time.Duration) error {
	if d.Std() < limit {
		return fmt.Errorf("%s is less than %s", d, Duration(limit))
	}
	return nil
}

// checkMember holds a member's name to the roster's rule. Objects that were never shared are filed under
// object.Local, which no member may be.
func checkMember(name string) error {
	if name == object.Local {
		return fmt.Errorf("name %q is taken: it means what was never shared", name)
	}
	return roster.CheckName(name)
}

// checkReader holds a reader of sightings to names; everyone would tell the world who was hit.
func checkReader(name string) error {
	if name == "alliance" {
		return nil
	}
	if name == "everyone" {
		return errors.New("everyone would tell the world who was hit; name the alliance, groups or members")
	}
	_, bare, prefixed := strings.Cut(name, ":")
	if prefixed && (strings.HasPrefix(name, "group:") || strings.HasPrefix(name, "member:")) {
		name = bare
	}
	return checkMember(name)
}

func (c *Config) checkDeny(name string) error {
	if name == c.Member {
		return fmt.Errorf("%q is this member itself", name)
	}
	return checkMember(name)
}

// checkGuard refuses a guard that a revert of the data folder would take along.
func (c *Config) checkGuard() error {
	if within(c.Data, c.Guard) {
		return fmt.Errorf("%s lies inside the data folder; a backup put back would bring it along", c.Guard)
	}
	return nil
}

func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// checkPage refuses a page that machines elsewhere could reach, unless the operator said what it is called:
// the check of the Host header is what keeps a stranger's web page from talking to it.
func (c *Config) checkPage() error {
	host, _, err := splitListen(c.Page.Listen)
	if err != nil {
		return err
	}
	if !loopback(host) && len(c.Page.Hosts) == 0 {
		return fmt.Errorf("%s is not loopback: other machines could reach the page. If that is meant, name it in page.hosts", c.Page.Listen)
	}
	return nil
}

// checkPeer refuses a peer server that no card could name, and one on the page's own address.
func (c *Config) checkPeer() error {
	host, port, err := splitListen(c.Peer.Listen)
	if err != nil {
		return err
	}
	if unspecified(host) && len(c.Peer.Advertise) == 0 {
		return fmt.Errorf("%s means every address; say in peer.advertise which one allies are to use", c.Peer.Listen)
	}
	pageHost, pagePort, err := splitListen(c.Page.Listen)
	if err == nil && port != 0 && port == pagePort && (host == pageHost || unspecified(host) || unspecified(pageHost)) {
		return fmt.Errorf("%s is the page's address too", c.Peer.Listen)
	}
	return nil
}

// checkTAXII refuses an address that is another server's, and one that other machines could reach in clear: tokens
// would cross the network.
func (c *Config) checkTAXII() error {
	if c.TAXII.Listen == "" {
		if c.TAXII.Certificate != "" {
			return errors.New("a certificate wants an address of its own: the page's has no TLS")
		}
		return nil
	}
	host, port, err := splitListen(c.TAXII.Listen)
	if err != nil {
		return err
	}
	if !loopback(host) && c.TAXII.Certificate == "" {
		return fmt.Errorf("%s is not loopback: TAXII there wants TLS. Set taxii.certificate and taxii.key", c.TAXII.Listen)
	}
	for key, other := range map[string]string{"page.listen": c.Page.Listen, "peer.listen": c.Peer.Listen} {
		otherHost, otherPort, err := splitListen(other)
		if err == nil && port != 0 && port == otherPort && (host == otherHost || unspecified(host) || unspecified(otherHost)) {
			return fmt.Errorf("%s is the address of %s too", c.TAXII.Listen, key)
		}
	}
	return nil
}

func (c *Config) checkTAXIIKey() error {
	if (c.TAXII.Certificate == "") != (c.TAXII.Key == "") {
		return errors.New("taxii.certificate and taxii.key belong together")
	}
	return nil
}

// checkInboxTLP: what is RED leaves no node by itself.
func (c *Config) checkInboxTLP() error {
	if c.Inbox.TLP == "" {
		return nil
	}
	tlp, err := stix.ParseTLP(c.Inbox.TLP)
	if err == nil && tlp == stix.Red {
		err = errors.New("RED is published by people, never by a rule")
	}
	return err
}

// checkInboxReader holds a reader of postings to names; the public is named on purpose, with a marking that allows it.
func (c *Config) checkInboxReader(name string) error {
	if name == "everyone" {
		if tlp, err := stix.ParseTLP(c.Inbox.TLP); err != nil || tlp != stix.Clear {
			return errors.New("everyone may read CLEAR alone: set inbox.tlp to clear if that is meant")
		}
		return nil
	}
	return checkReader(name)
}

func splitListen(addr string) (host string, port uint64, err error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no host:port", clip(addr))
	}
	if port, err = strconv.ParseUint(portText, 10, 16); err != nil {
		return "", 0, fmt.Errorf("%q has no port from 0 to 65535", clip(addr))
	}
	if _, ipErr := netip.ParseAddr(host); host != "" && ipErr != nil && !hostPattern.MatchString(host) {
		return "", 0, fmt.Errorf("%q has no host that could be one", clip(addr))
	}
	return host, port, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func unspecified(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}

func checkHost(name string) error {
	if _, err := netip.ParseAddr(name); err != nil && !hostPattern.MatchString(name) {
		return fmt.Errorf("%q is no host name (no port, no path, no wildcard)", clip(name))
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%q is no address such as https://host:port", clip(endpoint))
	}
	if unspecified(u.Hostname()) {
		return fmt.Errorf("%q is every address and none", clip(endpoint))
	}
	return nil
}

func (c *Config) checkAs() error {
	switch c.Sightings.As {
	case AsIdentity:
		return nil
	case AsSector:
		if err := roster.CheckName(c.Sightings.Sector); err != nil {
			return fmt.Errorf("wants sightings.sector, such as energy: %w", err)
		}
		return nil
	}
	return fmt.Errorf("%q is neither %s nor %s", clip(c.Sightings.As), AsIdentity, AsSector)
}

// checkFollow refuses a path followed twice, and the node's own output, which would feed itself.
func (c *Config) checkFollow(i int, f Follow) error {
	if f.Path == "" {
		return errors.New("path: names no file or folder")
	}
	if within(c.Data, f.Path) || within(f.Path, c.Data) {
		return fmt.Errorf("path: %s and the data folder lie in one another; the node would read what it writes", f.Path)
	}
	for _, other := range c.Ingest.Follow[:i] {
		if other.Path == f.Path {
			return fmt.Errorf("path: %s is followed twice", f.Path)
		}
	}
	if _, err := follow.ParseFormat(f.Format); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	for _, word := range []string{f.Product, f.Category, f.Service} {
		if !wordPattern.MatchString(word) {
			return fmt.Errorf("%q is no part of a Sigma logsource", clip(word))
		}
	}
	return nil
}
