package auditd

// process is what a log told of a process when it started.
type process struct{ image, command string }

type processKey struct{ node, pid string }

// processes remembers the newest MaxProcesses that started, so that a child's parent has a name. A number that
// was given to another process without an execve still has the name of the old one: an audit log shows no
// more unless it is told to record forks.
type processes struct {
	of   map[processKey]process
	ring []processKey
	next int
}

func newProcesses() *processes { return &processes{of: map[processKey]process{}} }

func (p *processes) get(node, pid string) process { return p.of[processKey{node, pid}] }

// maxRemembered bounds one command line that is remembered, in bytes.
const maxRemembered = 4 << 10

func (p *processes) put(node, pid string, what process) {
	what.command = what.command[:min(len(what.command), maxRemembered)]
	key := processKey{node, pid}
	if _, known := p.of[key]; !known {
		if len(p.ring) < MaxProcesses {
			p.ring = append(p.ring, key)
		} else {
			delete(p.of, p.ring[p.next])
			p.ring[p.next] = key
			p.next = (p.next + 1) % MaxProcesses
		}
	}
	p.of[key] = what
}
