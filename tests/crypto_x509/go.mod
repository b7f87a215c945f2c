module crypto-x509

go 1.23
