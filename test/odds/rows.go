package main

// row is one line of the reference table: what the bare comparison found at an α of 5 % with a look each minute, in
// percent of releases, and after how many minutes in the median; 0 when fewer than half were found. A program in another
// language computed it.
type row struct {
	base, share, rps, effect float64
	found, minutes           float64
}

// rows is the reference table, for effects of 1 (no harm), 2, 5 and 10 at each rate.
func rows() []row {
	var all []row
	for _, c := range []struct {
		base, share, rps float64
		cells            [4][2]float64
	}{
		{0.001, 0.05, 10, [4][2]float64{{2, 0}, {12, 0}, {81, 29}, {100, 10}}},
		{0.001, 0.05, 100, [4][2]float64{{2, 0}, {76, 35}, {100, 4}, {100, 2}}},
		{0.001, 0.05, 1000, [4][2]float64{{1, 0}, {100, 5}, {100, 1}, {100, 1}}},
		{0.001, 0.1, 10, [4][2]float64{{3, 0}, {23, 0}, {96, 16}, {100, 6}}},
		{0.001, 0.1, 100, [4][2]float64{{2, 0}, {97, 20}, {100, 2}, {100, 1}}},
		{0.001, 0.1, 1000, [4][2]float64{{1, 0}, {100, 3}, {100, 1}, {100, 1}}},
		{0.001, 0.5, 10, [4][2]float64{{2, 0}, {46, 0}, {100, 7}, {100, 3}}},
		{0.001, 0.5, 100, [4][2]float64{{2, 0}, {100, 8}, {100, 1}, {100, 1}}},
		{0.001, 0.5, 1000, [4][2]float64{{0, 0}, {100, 1}, {100, 1}, {100, 1}}},
		{0.01, 0.05, 10, [4][2]float64{{2, 0}, {75, 37}, {100, 4}, {100, 2}}},
		{0.01, 0.05, 100, [4][2]float64{{1, 0}, {100, 5}, {100, 1}, {100, 1}}},
		{0.01, 0.05, 1000, [4][2]float64{{0, 0}, {100, 1}, {100, 1}, {100, 1}}},
		{0.01, 0.1, 10, [4][2]float64{{1, 0}, {96, 21}, {100, 2}, {100, 1}}},
		{0.01, 0.1, 100, [4][2]float64{{1, 0}, {100, 3}, {100, 1}, {100, 1}}},
		{0.01, 0.1, 1000, [4][2]float64{{0, 0}, {100, 1}, {100, 1}, {100, 1}}},
		{0.01, 0.5, 10, [4][2]float64{{2, 0}, {100, 8}, {100, 1}, {100, 1}}},
		{0.01, 0.5, 100, [4][2]float64{{1, 0}, {100, 1}, {100, 1}, {100, 1}}},
		{0.01, 0.5, 1000, [4][2]float64{{0, 0}, {100, 1}, {100, 1}, {100, 1}}},
	} {
		for i, effect := range []float64{1, 2, 5, 10} {
			all = append(all, row{
				base: c.base, share: c.share, rps: c.rps, effect: effect, found: c.cells[i][0], minutes: c.cells[i][1],
			})
		}
	}
	return all
}
