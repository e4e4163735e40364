module goauth

go 1.21
