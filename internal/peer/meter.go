package peer

import (
	"net"
	"sync/atomic"
)

// Meter counts the bytes of connections as they cross the wire, TLS included.
type Meter struct{ in, out atomic.Int64 }

// Totals are the bytes received and sent so far.
func (m *Meter) Totals() (in, out int64) { return m.in.Load(), m.out.Load() }

type meteredConn struct {
	net.Conn
	meter *Meter
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meter.in.Add(int64(n))
	return n, err
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meter.out.Add(int64(n))
	return n, err
}

type meteredListener struct {
	net.Listener
	meter *Meter
}

func (l *meteredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &meteredConn{c, l.meter}, nil
}
