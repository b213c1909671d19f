"""What others would use in place of a part of DrinkStream, written as its own users would write it well."""
