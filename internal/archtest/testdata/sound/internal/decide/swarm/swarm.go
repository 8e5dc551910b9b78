// Package swarm composes.
package swarm

import _ "sound/internal/decide/swarm/picker"
