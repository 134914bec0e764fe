package promsignals_test

import (
	_ "github.com/prometheus/client_golang/prometheus/testutil"
)
