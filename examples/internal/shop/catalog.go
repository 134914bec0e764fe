package shop

// Product is one thing on sale.
type Product struct {
	Code  string
	Name  string
	Price Money
}

// Catalog is what the open shop sells: best sellers of the real one.
var Catalog = func() []Product {
	list := []struct{ code, name, price string }{
		{"85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "2.55"},
		{"85099B", "JUMBO BAG RED RETROSPOT", "1.65"},
		{"84879", "ASSORTED COLOUR BIRD ORNAMENT", "1.69"},
		{"22423", "REGENCY CAKESTAND 3 TIER", "10.95"},
		{"47566", "PARTY BUNTING", "4.65"},
		{"23084", "RABBIT NIGHT LIGHT", "2.08"},
		{"22086", "PAPER CHAIN KIT 50'S CHRISTMAS", "2.55"},
		{"20725", "LUNCH BAG RED RETROSPOT", "1.65"},
		{"21915", "RED HARMONICA IN BOX", "1.25"},
		{"22178", "VICTORIAN GLASS HANGING T-LIGHT", "1.25"},
		{"22386", "JUMBO BAG PINK POLKADOT", "1.95"},
		{"22629", "SPACEBOY LUNCH BOX", "1.95"},
		{"21731", "RED TOADSTOOL LED NIGHT LIGHT", "1.65"},
		{"22469", "HEART OF WICKER SMALL", "1.65"},
		{"84946", "ANTIQUE SILVER TEA GLASS ETCHED", "1.25"},
		{"22961", "JAM MAKING SET PRINTED", "1.45"},
		{"21790", "VINTAGE SNAP CARDS", "0.85"},
		{"15036", "ASSORTED COLOURS SILK FAN", "0.75"},
		{"22355", "CHARLOTTE BAG SUKI DESIGN", "0.85"},
		{"22693", "GROW A FLYTRAP OR SUNFLOWER IN TIN", "1.25"},
	}
	products := make([]Product, len(list))
	for i, p := range list {
		price, err := ParseMoney(p.price)
		if err != nil {
			panic("shop: the catalogue says that " + p.code + " costs " + p.price)
		}
		products[i] = Product{p.code, p.name, price}
	}
	return products
}()

// storyProduct is not in the generator's random orders, so that the story can
// show what one order did to its shelf.
const storyProduct = "22423"

var byCode = func() map[string]Product {
	m := make(map[string]Product, len(Catalog))
	for _, p := range Catalog {
		m[p.Code] = p
	}
	return m
}()

// CatalogLine is a line of an order at today's price. An unknown stock code
// has no price, and the chain refuses it.
func CatalogLine(code string, quantity int64) Line {
	p, ok := byCode[code]
	if !ok {
		return Line{Code: code, Quantity: quantity}
	}
	return Line{Code: code, Description: p.Name, Quantity: quantity, Price: p.Price}
}

// FullShelves has the same number of pieces of every product.
func FullShelves(pieces int64) *Stock {
	levels := make(map[string]int64, len(Catalog))
	for _, p := range Catalog {
		levels[p.Code] = pieces
	}
	return NewStock(levels)
}
