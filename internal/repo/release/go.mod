module example.com/signals/internal/repo/release

go 1.26.0

require golang.org/x/mod v0.42.0
