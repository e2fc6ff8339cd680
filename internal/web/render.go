package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
)

//go:embed templates
var templateFiles embed.FS

// pages are the parsed templates; they are part of the program, so a mistake in one is a mistake in it.
var pages = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

// execute renders one template.
func execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("rendering template %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// renderPage is the whole document.
func (f *frame) renderPage() ([]byte, error) { return execute("page", f) }

// Panels renders the view's panels for the page's template. What html/template escaped once is passed on
// as it is.
func (f *frame) Panels() (template.HTML, error) {
	var all bytes.Buffer
	for _, name := range f.View.panels {
		b, err := execute(name, f)
		if err != nil {
			return "", err
		}
		all.Write(b)
	}
	return template.HTML(all.String()), nil
}
