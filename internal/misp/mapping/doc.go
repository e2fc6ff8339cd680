// Package mapping turns MISP events into STIX 2.1 objects and STIX objects into MISP events (DESIGN.md, "MISP").
//
// Identifiers come from MISP's UUIDs, as those of the package misp-stix do: an attribute's indicator is
// indicator--UUID, an event's report report--UUID. So the same event gives the same objects on every node, an
// event that was read before changes nothing, and an event that has changed makes new versions.
//
// What a mapping leaves out is a misp.Loss with its place and a reason.
package mapping
