package main

import "strings"

// Markdown is shown on web pages, so what is text has to stay text: no link, no
// picture, no HTML, no mention of a user, and one cell where there is one.

// markdown returns text as text in Markdown, of GitHub's kind too, which makes
// links of addresses.
func markdown(text string) string { return markdownEscapes.Replace(printable(text)) }

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`, "$", `\$`, "!", `\!`,
	"@", "@\u200b", ":", `\:`, "www.", `www\.`, "WWW.", `WWW\.`)

// code returns text as code in Markdown.
func code(text string) string {
	if text = printable(text); text == "" {
		return ""
	}
	quotes := strings.Repeat("`", longestRun(text)+1)
	if len(quotes) > 1 || text[0] == ' ' {
		text = " " + text + " "
	}
	return quotes + text + quotes
}

// codeCell is code in a table. There, "|" ends a cell even in code unless a
// backslash is before it, and two backslashes are one: no code can have both.
func codeCell(text string) string {
	switch {
	case !strings.Contains(text, "|"):
		return code(text)
	case strings.Contains(printable(text), `\`):
		return markdown(text)
	}
	return strings.ReplaceAll(code(text), "|", `\|`)
}

// longestRun returns how many backquotes stand in a row in a text.
func longestRun(text string) int {
	longest, n := 0, 0
	for _, r := range text {
		if n++; r != '`' {
			n = 0
		}
		longest = max(longest, n)
	}
	return longest
}
