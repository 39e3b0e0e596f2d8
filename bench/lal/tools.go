//go:build tools

// Keeps lal in go.mod; bench/install builds its lalserver, which, being a program, cannot be imported.
package tools

import _ "github.com/q191201771/lal/pkg/logic"
