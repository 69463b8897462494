# Follows `go build -v`: one line for every hundred packages compiled, and whatever is not the name of a package as it is.
# A build that says nothing for minutes looks like one that hangs.
#
#   go build -v … 2>&1 | awk -v what=golangci-lint -f test/tools/progress.awk

BEGIN { if (every == 0) every = 100 }

/^[a-zA-Z0-9_.~\/@-]+$/ {
	if (++packages % every == 0) print "  " what ": " packages " packages compiled"
	next
}

{ print }
