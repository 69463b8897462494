package render

import (
	"strings"
)

// gap is the space between two columns.
const gap = 2

// Table lays rows out in columns. It remembers how wide its columns are, so that rows that come later stand under those
// that came before.
type Table struct {
	// Palette has the colours.
	Palette Palette
	widths  []int
}

// Rows lays out rows, one line each. A row may have fewer cells than others.
func (t *Table) Rows(rows [][]Cell) string {
	for _, row := range rows {
		t.fit(row)
	}
	var out strings.Builder
	for _, row := range rows {
		out.WriteString(t.line(row))
		out.WriteByte('\n')
	}
	return out.String()
}

// fit widens columns to a row. The last cell of a row is as long as it likes.
func (t *Table) fit(row []Cell) {
	for len(t.widths) < len(row) {
		t.widths = append(t.widths, 0)
	}
	for i, c := range row[:max(len(row)-1, 0)] {
		t.widths[i] = max(t.widths[i], c.width())
	}
}

func (t *Table) line(row []Cell) string {
	row = withoutEmptyEnd(row)
	var out strings.Builder
	for i, c := range row {
		out.WriteString(t.Palette.Paint(c.Style, c.safe()))
		if i < len(row)-1 {
			out.WriteString(strings.Repeat(" ", t.widths[i]-c.width()+gap))
		}
	}
	return out.String()
}

// withoutEmptyEnd spares lines the white space at their ends.
func withoutEmptyEnd(row []Cell) []Cell {
	for len(row) > 0 && row[len(row)-1].Text == "" {
		row = row[:len(row)-1]
	}
	return row
}

// headings makes a row of plain cells.
func headings(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i] = Cell{Text: text}
	}
	return row
}
