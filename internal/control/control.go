// Package control is how the command line talks to a running node: HTTP and JSON over a Unix socket in the
// data folder. It is protocol only: a Backend does the work, Handler serves it, and Client calls it over the
// socket or, where no node runs, in the same process, so that both ways behave alike.
package control

import (
	"context"
	"time"

	"shieldwall/internal/status"
)

// Backend is a node, running or opened for one command. Methods may be called concurrently. Errors that a
// caller can do something about are *Error; any other is of kind Failed.
type Backend interface {
	Status(ctx context.Context) (status.Node, error)
	// PageLink is a new one-time link to the page of a running node: it carries a secret. The error is of kind
	// Unavailable where no page is served.
	PageLink(ctx context.Context) (string, error)
	// Publications are the newest entries of the own log that protect others, newest first.
	Publications(ctx context.Context, limit int) ([]status.Publication, error)

	// Profile says what matching has cost since the node's start, with at most so many rules.
	Profile(ctx context.Context, most int) (status.Profile, error)

	// Publish shares files. It is one decision: either all of them are shared (acknowledged means
	// durable) or none is and the error, of kind Refused, lists why. With DryRun nothing changes.
	Publish(ctx context.Context, req PublishRequest) (PublishResult, error)
	// Withdraw takes back objects that this member published.
	Withdraw(ctx context.Context, ids []string) (WithdrawResult, error)

	// Search finds objects.
	Search(ctx context.Context, req SearchRequest) (status.SearchPage, error)

	// Alliance is the roster in force.
	Alliance(ctx context.Context) (status.Alliance, error)
	// AllianceNew names the alliance of a member that is alone in it, and its groups.
	AllianceNew(ctx context.Context, req AllianceRequest) (status.Alliance, error)
	// AllianceChange signs a roster with changes: it is in force at once where one officer is enough, else it is a
	// draft for the others to sign.
	AllianceChange(ctx context.Context, req RosterChange) (status.Alliance, error)
	// AllianceSign adds the signature of this node's officer to a draft, by its id.
	AllianceSign(ctx context.Context, id string) (status.Alliance, error)
	// AllianceDraft is a draft's file, for an officer who signs elsewhere; AllianceAdmit takes it back.
	AllianceDraft(ctx context.Context, id string) ([]byte, error)
	AllianceAdmit(ctx context.Context, file []byte) (status.Alliance, error)
	// Invite makes a token for one joiner.
	Invite(ctx context.Context, req InviteRequest) (Invitation, error)
	// Join leaves the alliance of one and becomes a member of the token's.
	Join(ctx context.Context, token string) (JoinResult, error)

	// TokenNew makes a secret for a local interface, or lets a client's certificate in; only a hash is kept.
	TokenNew(ctx context.Context, req TokenRequest) (Token, error)
	// Tokens are those that were made, by name, expired ones too.
	Tokens(ctx context.Context) ([]Token, error)
	// TokenRevoke forgets a token by its name.
	TokenRevoke(ctx context.Context, name string) (Token, error)

	// Mute keeps detections of a rule, an ally, or either on one host, from being told, for this node alone.
	Mute(ctx context.Context, req MuteRequest) (status.Mute, error)
	// Unmute takes a mute back by its id.
	Unmute(ctx context.Context, id string) (status.Mute, error)
	// Mutes are those in force, the oldest first.
	Mutes(ctx context.Context) ([]status.Mute, error)

	// DetectionsSince yields the kept detections seen at or after since, oldest first, until yield fails.
	DetectionsSince(ctx context.Context, since time.Time, yield func(status.Detection) error) error
	// Follow yields detections as they happen; a reader too slow loses the oldest. The channel closes
	// when ctx ends.
	Follow(ctx context.Context) <-chan status.Detection
}

// File is one file to publish: its name for messages, and its exact bytes.
type File struct {
	Name string
	Data []byte
}

// PublishRequest asks for files to be shared.
type PublishRequest struct {
	Files []File `json:"-"` // travels beside the JSON
	// IDs name objects that are held here and were never shared: postings.
	IDs []string `json:"ids,omitempty"`
	// TLP marks the entries: clear, green, amber, amber+strict, red; empty leaves it to the objects.
	TLP string `json:"tlp"`
	// To are groups, members, "alliance" or "everyone"; empty leaves it to the marking.
	To     []string `json:"to"`
	DryRun bool     `json:"dry_run"`
}

// PublishResult is what was, or with DryRun would be, appended.
type PublishResult struct {
	DryRun  bool             `json:"dry_run"`
	Entries []PublishedEntry `json:"entries"`
	// Unchanged are ids that this member already shares just so.
	Unchanged []string `json:"unchanged"`
	Warnings  []string `json:"warnings"`
}

// PublishedEntry is one entry of the log.
type PublishedEntry struct {
	Log      string            `json:"log,omitempty"`
	Index    uint64            `json:"index"` // meaningless with DryRun: the log assigns it
	TLP      string            `json:"tlp"`
	Audience string            `json:"audience"`
	Readers  []string          `json:"readers"` // members who can open it, the publisher left out
	Blob     bool              `json:"blob,omitempty"`
	Objects  []PublishedObject `json:"objects"`
	// Payload is, with DryRun, the exact bytes before compression and sealing.
	Payload []byte `json:"payload,omitempty"`
}

// PublishedObject is one object of an entry.
type PublishedObject struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	File string `json:"file"`
	// Raw is, with DryRun, the object's exact bytes.
	Raw []byte `json:"raw,omitempty"`
}

// WithdrawResult is what was withdrawn.
type WithdrawResult struct {
	Withdrawn []string `json:"withdrawn"` // object ids
	Entries   []uint64 `json:"entries"`   // indexes of the withdrawals in the own log
}

// SearchRequest asks for a page of what a query finds.
type SearchRequest struct {
	Query     string `json:"query"`
	Cursor    string `json:"cursor"` // a page's Next
	Limit     int    `json:"limit"`
	Relations bool   `json:"relations"`
	Objects   bool   `json:"objects"`
}

// AllianceRequest names an alliance and its groups.
type AllianceRequest struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
	// In are those of the groups that this member itself is in.
	In []string `json:"in"`
}

// RosterChange is what the next roster says otherwise. Each is done or the whole is refused.
type RosterChange struct {
	Officers       map[string]string `json:"officers,omitempty"` // name -> public key: a new officer, or another key of one
	RemoveOfficers []string          `json:"remove_officers,omitempty"`
	Threshold      int               `json:"threshold,omitempty"` // officers that must sign; 0: as before
	AddGroups      []string          `json:"add_groups,omitempty"`
	RemoveGroups   []string          `json:"remove_groups,omitempty"`
	Remove         []string          `json:"remove,omitempty"` // members
	// Members change as each one's MemberChange says.
	Members map[string]MemberChange `json:"members,omitempty"`
	// RejectFork makes the other branch of the rosters void, where officers signed two of one version.
	RejectFork bool `json:"reject_fork,omitempty"`
	// Renew changes nothing but the time at which the roster expires, which every change renews.
	Renew bool `json:"renew,omitempty"`
}

// Empty says whether nothing is to be changed.
func (c RosterChange) Empty() bool {
	return len(c.Officers)+len(c.RemoveOfficers)+c.Threshold+len(c.AddGroups)+len(c.RemoveGroups)+len(c.Remove)+len(c.Members) == 0 && !c.Renew && !c.RejectFork
}

// MemberChange is what the roster says otherwise of one member; nil and empty leave it as it was.
type MemberChange struct {
	Suspended  *bool     `json:"suspended,omitempty"`
	Groups     *[]string `json:"groups,omitempty"`
	Quota      *uint64   `json:"quota,omitempty"` // entries a day; 0: no limit
	Types      *[]string `json:"types,omitempty"` // STIX types it may publish; none: all
	Identities *[]string `json:"identities,omitempty"`
	Key        string    `json:"key,omitempty"` // another identity key, where the old one is lost or stolen
}

// InviteRequest asks for a token.
type InviteRequest struct {
	Name    string        `json:"name"` // the joiner's member name
	Groups  []string      `json:"groups"`
	Expires time.Duration `json:"expires"` // from now
}

// Invitation is a token and when it ends.
type Invitation struct {
	Token   string    `json:"token"`
	Name    string    `json:"name"`
	Groups  []string  `json:"groups"`
	Expires time.Time `json:"expires"`
}

// JoinResult is the alliance joined, or what the join waits for.
type JoinResult struct {
	// Pending says that officers must admit this member first: asking again tells whether they have.
	Pending  string `json:"pending,omitempty"`
	Alliance string `json:"alliance"` // its name
	ID       string `json:"id"`
	Member   string `json:"member"` // this member's name in it
	Version  uint64 `json:"version"`
	Members  int    `json:"members"`
}

// TokenRequest asks for a token for a local interface.
type TokenRequest struct {
	Name string `json:"name"`
	// Scopes are what it may do: "ingest", "taxii:read", "taxii:write".
	Scopes []string `json:"scopes"`
	// As is what sort of reader holds it: "constituent", "machine" or "staff"; for TAXII only.
	As      string        `json:"as"`
	Expires time.Duration `json:"expires"` // from now; 0 = never
	// Certificate is a client's, PEM or DER: its key is let in instead of a secret.
	Certificate []byte `json:"certificate"`
}

// Token is a secret shown once; where tokens are listed it is left out.
type Token struct {
	Token   string    `json:"token,omitempty"`
	Name    string    `json:"name"`
	Scope   string    `json:"scope"` // several are separated by spaces
	As      string    `json:"as,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// MuteRequest asks for a mute; Rule or Publisher is wanted, Host is free.
type MuteRequest struct {
	Rule      string        `json:"rule"`
	Publisher string        `json:"publisher"`
	Host      string        `json:"host"`
	Reason    string        `json:"reason"`
	For       time.Duration `json:"for"` // from now
}

// DetectionQuery says which detections to stream.
type DetectionQuery struct {
	// Past asks for kept ones, from Since on.
	Past  bool
	Since time.Time
	// Follow asks for new ones until the caller ends.
	Follow bool
}
